PATH=$(dirname "$(command -v atoll)") atoll compile m.tflite

atoll info missing.tflite

echo "this is not a model" > x.tflite
atoll info x.tflite

atoll plan zoo:mobilenet_v1 --tpu 4

atoll info zoo:mobilenet_v1 zoo:mobilenet_v2

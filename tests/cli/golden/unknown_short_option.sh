atoll info -z zoo:mobilenet_v1

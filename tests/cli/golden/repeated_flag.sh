atoll info --json zoo:mobilenet_v1 --json

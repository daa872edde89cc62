atoll info --json=yes zoo:mobilenet_v1

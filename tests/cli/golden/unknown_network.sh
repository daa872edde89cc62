atoll info zoo:mobilnet_v2

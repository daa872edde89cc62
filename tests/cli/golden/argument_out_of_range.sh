atoll plan zoo:mobilenet_v1 --tpus 65

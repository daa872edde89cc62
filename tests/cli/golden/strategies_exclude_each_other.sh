atoll plan zoo:mobilenet_v1 --strategy single --compare

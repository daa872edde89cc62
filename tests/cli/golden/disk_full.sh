atoll zoo list > /dev/full

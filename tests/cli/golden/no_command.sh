atoll

atoll zoo

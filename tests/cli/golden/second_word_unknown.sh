atoll zoo lost

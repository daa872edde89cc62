atoll --version

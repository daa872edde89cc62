atoll info --json

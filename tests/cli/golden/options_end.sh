atoll info -- --json

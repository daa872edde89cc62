atoll xyzzy

atoll info "zoo:mobilenet_v2?alpah=1"

"""HTTP: connections, TLS, proxies, requests and replies. Nothing here is specific to OSS."""

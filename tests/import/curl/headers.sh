curl -f -I -L https://shop.example
curl -f --head --location --max-redirs 0 https://shop.example/once
curl -f -H 'If-None-Match: "abc"' -H 'X-Quote: it'"'"'s' -H "X-Tab: a	b" https://shop.example/etag
curl -f -H 'Authorization: ApiKey s3cr3t-key' -H 'Proxy-Authorization: Basic s3cr3t-proxy' -H 'X-CSRFToken: s3cr3t-csrf' https://shop.example/auth

curl 'https://shop.example/api/orders?page=1&limit=20' \
  -H 'accept: application/json, text/plain, */*' \
  -H 'accept-language: en-GB,en;q=0.9' \
  -H 'authorization: Bearer eyJhbGciOi.s3cr3t-jwt.sig' \
  -H 'cookie: session=s3cr3t-session; theme=dark' \
  -H 'priority: u=1, i' \
  -H 'referer: https://shop.example/orders' \
  -H 'sec-fetch-mode: cors' \
  -H 'user-agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36' \
  --compressed

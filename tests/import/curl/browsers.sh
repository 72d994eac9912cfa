# Chromium, "Copy as cURL (bash)", a form with line ends.
curl 'https://shop.example/contact' \
  -X 'POST' \
  -H 'Content-Type: text/plain;charset=UTF-8' \
  -H 'sec-ch-ua: "Chromium";v="140", "Not=A?Brand";v="24"' \
  -b 'session=s3cr3t-chrome; consent=1' \
  --data-raw $'line one\nit\'s \u00fc "quoted"\r\n' \
  --insecure

# Firefox, "Copy as cURL", a URL with brackets.
curl 'https://api.shop.example/items?filter[price]=10&ids={1,2}' --globoff --compressed -H 'User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0' -H 'Accept: */*' -H 'Sec-GPC: 1' -H 'Cookie: sid=s3cr3t-firefox' -H 'Priority: u=0' -H 'Pragma: no-cache'

# Safari, "Copy as cURL".
curl 'https://shop.example/graphql' \
-X 'POST' \
-H 'Content-Type: application/json' \
-H 'Authorization: Basic czNjcjN0LXNhZmFyaQ==' \
-H 'User-Agent: Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15' \
--data-binary '{"operationName":"Cart","query":"query Cart { cart { id } }","variables":{"n":1.50,"token":"s3cr3t-graph"}}'

#!/usr/bin/env bash
set -euo pipefail
TOKEN=$(curl -sf -d "user=probe&password=$PASSWORD" https://id.example/token | jq -r .token)
for path in a b; do
  curl -fsS "https://shop.example/$path" >/dev/null 2>&1
done
if ! curl --fail --silent --show-error --max-time 10 --retry 5 --retry-delay 2 https://shop.example/healthz; then exit 1; fi
curl -fsS -H @headers.txt https://shop.example/with-headers
curl -fsS -X POST -H 'Content-Type: application/json' --data @- https://shop.example/orders <<EOF
{"sku": "TEA", "when": "$(date +%s)"}
EOF
curl -fsS -d "$(cat body.json)" "https://shop.example/$(uname -n)/in?x=1" -o out.json -w '%{http_code}' &
curl -fsS --data-urlencode "note=a b&c" --data-urlencode "plain" --data-urlencode "@file.txt" --data-urlencode "name@file.txt" https://shop.example/encoded
curl -fG https://shop.example/search -d "q=$QUERY" -d limit=5
curl -fsS "https://shop.example/items/[1-3].json" "https://shop.example/{a,b}" "https://shop.example/\[x\]"
curl -fsS -F 'a=@one.bin;filename="two.bin";type=application/octet-stream' -F 'b=x;headers="X: y"' --form-string 'c=@not a file;x' -F nothing https://shop.example/upload
curl -fsS -d @body.xml -d x=1 https://shop.example/mixed
curl -fsS --json @body.json --json '{"a":1}' https://shop.example/jsons
curl -fsS -T - https://shop.example/stdin
curl -fsS --variable key=value --expand-url 'https://{{key}}.example' https://shop.example/
sudo curl https://shop.example/root
HTTPS_PROXY=http://proxy.example:3128 curl https://shop.example/by-proxy
curl --config curlrc
curl -s

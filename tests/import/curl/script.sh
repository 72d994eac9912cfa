#!/bin/sh
# A smoke test as people write it.
set -e
BASE=https://shop.example
curl -fsS -o /dev/null -w '%{http_code}\n' https://shop.example/healthz   # up?
curl -sSfL --max-time 5 --retry 3 -u probe:s3cr3t-basic https://shop.example/private && echo ok
curl -f -H "Authorization: Bearer $API_TOKEN" "https://shop.example/${REGION}/stock"
curl -k --resolve shop.example:443:192.0.2.10 https://shop.example/ -I
curl --json '{"a": [1, 2.5, "x"]}' https://shop.example/json
curl -d name=a%20b -d 'x=1+2' https://shop.example/form
curl -F 'title=Test' -F 'scan=@fixtures/scan.png;type=image/png' -F 'text=<notes.txt' https://shop.example/upload
curl -G --data-urlencode 'q=blue shoes' -d page=2 https://shop.example/search
curl shop.example:8080/plain
curl -T fixtures/order.xml -H 'Content-Type: application/xml' https://shop.example/put
curl --unix-socket /run/docker.sock http://docker/info
curl https://one.example/ --next -XDELETE https://two.example/things/7
wget https://shop.example/
curl --cert client.pem --key client.key --cacert ca.pem -4 --http2 https://shop.example/mtls
curl -x http://ann:s3cr3t-proxy@proxy.example:3128 -b jar.txt -c jar.txt https://shop.example/far
curl -A 'probe/1' -e https://ref.example/ --digest -u d:s3cr3t-digest --max-redirs 3 -L https://shop.example/digest?api_key=s3cr3t-query

curl "https://shop.example/$(cat /etc/passwd)"
curl `echo https://shop.example/backticks`
curl https://shop.example/{a,b,c} https://shop.example/[1-100]
curl "https://shop.example/${USER:-nobody}/$1/$$"
curl https://shop.example/ > /etc/passwd 2>&1 < /dev/zero &
eval "curl https://shop.example/eval"
curl -K config.txt
curl --libcurl code.c --trace - https://shop.example/trace; rm -rf /
curl $'https://shop.example/\x61\u0062\t\'c' -H $'X-Line: a\nb'
if curl -sf https://shop.example/ready; then echo yes; fi || exit 1
while ! curl -sf https://shop.example/wait; do sleep 1; done

curl --request POST \
  --url 'https://api.shop.example/v2/orders?page=1&sort=-created' \
  --header 'Authorization: Bearer s3cr3t-insomnia' \
  --header 'Content-Type: application/json' \
  --header 'User-Agent: insomnia/10.0.0' \
  --cookie 'sid=s3cr3t-insomnia-cookie' \
  --data '{
	"sku": "TEA",
	"n": 2,
	"note": "line\nbreak"
}'

curl --request GET \
  --url https://api.shop.example/v2/orders/7 \
  --header 'Accept: */*' \
  --header 'X-Empty;' \
  --header 'Accept-Language:'

curl --location --globoff 'https://api.shop.example/items?filter[price]=5&filter[sku]=TEA' \
--header 'X-API-Key: s3cr3t-postman' \
--form 'file=@"/C:/Users/ann/order.csv"' \
--form 'note="two words"'
curl --location --request PUT 'https://api.shop.example/items/7' \
--header 'Content-Type: application/x-www-form-urlencoded' \
--data-urlencode 'name=green tea' \
--data-urlencode 'price=5.5'
curl --location 'https://api.shop.example/graphql' --header 'Content-Type: application/json' --data '{"query":"{ items { id } }","variables":{}}'

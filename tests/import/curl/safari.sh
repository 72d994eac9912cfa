curl 'https://shop.example/cart' \
-X 'PUT' \
-H 'Content-Type: application/x-www-form-urlencoded' \
--data-binary $'sku=TEA\u0021&note=two\nlines&csrf_token=s3cr3t-csrf'

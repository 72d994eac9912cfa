# Files and forms, as the manual page sends them.
curl -fsS -T backup.tar.gz https://files.shop.example/backups/
curl -F 'profile=@portrait.jpg;type=image/jpeg' -F "name=daniel;type=text/foo" https://shop.example/upload.cgi
curl --form-string 'name=@not-a-file' -F 'story=<hugefile.txt' https://shop.example/submit
curl --data-binary @order.xml -H 'Content-Type: application/xml' https://api.shop.example/orders
curl -X PATCH --json @change.json https://api.shop.example/orders/7
cat order.json | curl -d @- https://api.shop.example/orders

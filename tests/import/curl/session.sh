# A login and what it opens: one command, and the same in several with a jar.
curl -f https://shop.example/login -d user=probe -d password=s3cr3t-login --next -f https://shop.example/account --next -f -X POST https://shop.example/logout
curl -c jar.txt -d 'user=probe&password=s3cr3t-jar' https://shop.example/login
curl -b jar.txt https://shop.example/account
curl -b 'sid=s3cr3t-sid; theme=dark' -e https://shop.example/ -A 'Mozilla/5.0 (probe)' https://shop.example/cart
curl --cookie "" https://shop.example/no-cookie

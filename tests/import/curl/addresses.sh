curl -f http://[::1]:8080/health
curl -f 'https://[2001:db8::7]/x?y=[z]' -g
curl -f 10.1.2.3
curl -f https://user:s3cr3t%21@shop.example:8443/p
curl -f 'https://shop.example/ü/ä?q=ö'
curl -f 'HTTPS://SHOP.example/Path'

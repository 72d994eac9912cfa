curl -fsS -H 'Host: shop.example' -H 'X-Empty;' -H 'Accept:' -H 'Content-Length: 3' -d abc https://192.0.2.1/
curl -f -e 'https://ref.example/;auto' -A '' -r 0-99 --compressed --http3 https://shop.example/range
curl -f --http1.1 --tlsv1.2 --tls-max 1.3 --ciphers ECDHE-RSA-AES128-GCM-SHA256 --pinnedpubkey 'sha256//s3cr3t-pin=' https://shop.example/tls
curl -f --http3-only --connect-to ::edge.example:8443 https://shop.example/edge
curl -f --connect-to shop.example:443:edge.example: https://shop.example/edge2
curl -f --resolve '*:443:[2001:db8::1],192.0.2.1' --interface eth0 --dns-servers 192.0.2.53 https://shop.example/resolved
curl -f --socks5-hostname 127.0.0.1:1080 https://shop.example/socks
curl -f -x socks5h://127.0.0.1:1080 -U probe:s3cr3t-proxy --proxy-header 'X: s3cr3t-header' https://shop.example/proxied
curl -f --negotiate -u : https://shop.example/kerberos
curl -f --ntlm -u 'CORP\probe:s3cr3t-ntlm' https://shop.example/ntlm
curl -f -n https://shop.example/netrc
curl -f --aws-sigv4 aws:amz:eu-west-1:s3 -u 'AKIAIOSFODNN7EXAMPLE:s3cr3t-aws' https://s3.example/bucket
curl -f --oauth2-bearer s3cr3t-bearer --location-trusted --max-redirs -1 https://shop.example/trusted
curl -f --cert probe.pem:s3cr3t-pass --cert-type PEM https://shop.example/mtls
curl -f -m 0.5 --connect-timeout 0.1 https://shop.example/quick
curl -f -m 3600 https://shop.example/slow
curl -f -X OPTIONS -X purge https://shop.example/methods
curl -f --request-target '*' --path-as-is https://shop.example/../a
curl -f ftp://ftp.example/file gopher://g.example ws://live.example/ file:///etc/passwd
curl -f -sSL -4 -6 -o/dev/null -w%{time_total} -H'X-A: b' -uprobe:s3cr3t-short https://shop.example/short

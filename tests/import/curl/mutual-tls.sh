curl --cert client.pem --key client.key --cacert ca.pem https://bank.shop.example/accounts
curl -E client.p12:s3cr3t-p12 --cert-type P12 https://bank.shop.example/p12
curl --cert client-and-key.pem https://bank.shop.example/one-file
curl -k --tlsv1.3 --tls-max 1.3 --ciphers ECDHE https://bank.shop.example/self-signed
curl --pinnedpubkey 'sha256//YhKJKSzoTt2b5FP18fvpHo7fJYqQCjAa3HWY3tvRMwE=' https://bank.shop.example/pinned
curl --resolve bank.shop.example:443:192.0.2.7 --resolve other.example:443:192.0.2.8 https://bank.shop.example/at-one-machine
curl --connect-to ::192.0.2.9:8443 https://bank.shop.example/elsewhere

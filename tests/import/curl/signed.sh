curl --aws-sigv4 "aws:amz:eu-central-1:execute-api" --user "AKIAEXAMPLE:s3cr3t-aws" https://abc.execute-api.shop.example/prod/orders
curl --digest -u probe:s3cr3t-digest https://shop.example/digest
curl --ntlm -u 'DOMAIN\probe:s3cr3t-ntlm' https://intranet.shop.example/
curl --negotiate -u : https://intranet.shop.example/kerberos
curl -n https://shop.example/netrc
curl --anyauth -u probe:s3cr3t-any https://shop.example/any
curl -u probe https://shop.example/asks-for-the-password
curl "https://shop.example/a?X-Amz-Signature=s3cr3t-presigned&X-Amz-Date=20260101T000000Z&part=1"

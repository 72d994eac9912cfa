curl --request POST \
  --url https://id.example/oauth/token \
  --header 'content-type: application/x-www-form-urlencoded' \
  --data grant_type=client_credentials \
  --data client_id=probe \
  --data client_secret=s3cr3t-client \
  --data 'audience=https://api.example/'

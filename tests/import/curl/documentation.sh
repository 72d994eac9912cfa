# As the documentations of services write them.
curl https://api.pay.example/v1/charges \
  -u "s3cr3t_sk_test:" \
  -d amount=2000 \
  -d currency=usd \
  -d "metadata[order_id]=6735"
curl -L \
  -H "Accept: application/vnd.git+json" \
  -H "Authorization: Bearer <YOUR-TOKEN>" \
  -H "X-Api-Version: 2022-11-28" \
  https://api.git.example/repos/OWNER/REPO/issues
curl -X POST "https://bot.example/bot123456:s3cr3tAAEhBOweik6ad9rQXMENQjcrb/sendMessage?chat_id=1&text=hi"
curl --request GET --url 'https://api.weather.example/v4/forecast?location=42.3,-71&apikey=s3cr3t-weather' --header 'accept: application/json'
curl https://es.example:9200/_cluster/health?pretty -k -u elastic:s3cr3t-elastic
curl -s http://127.0.0.1:8500/v1/status/leader | jq -r . > /tmp/leader
curl https://ai.example/v1/chat -H "Content-Type: application/json" -H "Authorization: Bearer $AI_KEY" -d '{"model": "m", "messages": [{"role": "user", "content": "Say \"hi\""}], "max_tokens": 5}'
curl -XGET 'https://es.example/_search' -H 'Content-Type: application/json' -d'{"query":{"match_all":{}}}'

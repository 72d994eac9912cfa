curl -X POST "localhost:9200/my-index/_doc?pretty" -H 'Content-Type: application/json' -d'
{
  "user": {
    "id": "probe"
  },
  "message": "hello"
}
'

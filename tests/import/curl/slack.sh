curl -X POST -H 'Content-type: application/json' --data '{"text":"Hello"}' https://hooks.chat.example/services/T00000000/B00000000/s3cr3tXXX0123456789AbCd

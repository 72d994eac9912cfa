wget https://shop.example/
http GET https://shop.example/

curl https://shop.example/

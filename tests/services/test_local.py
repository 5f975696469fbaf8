def test_x(services):
    print(services)

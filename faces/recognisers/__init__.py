"""Face recognisers: photo and landmarks -> a unit vector per face."""

"""The FastStream side: requests and answers, parking, and the life of a service process."""

"""Jobs in: which lanes have work, a lane's jobs pulled and settled with the queue, and what a job hints at."""

"""What a step is spread over: devices of this machine, or several processes that find each other."""

"""What the clients that use boto3 share."""

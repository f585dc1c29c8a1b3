"""Files of AWS: deliveries of AWS Config, log files of CloudTrail."""

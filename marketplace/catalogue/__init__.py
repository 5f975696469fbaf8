"""What the field is made of: standards and editions, regions, sectors, accreditation bodies."""

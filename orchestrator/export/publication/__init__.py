"""Publications: runs that others can check, their admission, and the site that is made of them."""

-- Columns are named as SendGrid's fields. The order makes a retry read the same rows in the same order.
SELECT mail AS email, given_name AS first_name, family_name AS last_name, customer_id AS external_id
FROM customers
WHERE status = :status
ORDER BY customer_id

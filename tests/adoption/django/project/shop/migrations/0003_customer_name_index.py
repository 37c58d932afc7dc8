from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0002_ada")]
    operations = [migrations.AddIndex("customer", models.Index(fields=["name"], name="customer_name"))]

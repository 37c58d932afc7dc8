from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("shop", "0003_customer_name_index")]
    operations = [migrations.CreateModel(name="Order", fields=[("id", models.BigAutoField(primary_key=True))])]
